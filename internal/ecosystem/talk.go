package ecosystem

import (
	"bufio"
	"context"
	"io"
	"os/exec"
)

// Talk is a tool that stays, to be asked by its input and to answer by its output.
type Talk struct {
	In  io.Writer
	Out *bufio.Reader

	child Child
	cmd   *exec.Cmd
	errs  tail
	stop  context.CancelFunc
}

// Talk starts the tool. It stays until it is stopped; the caller ends it in any case.
func (c Child) Talk() (*Talk, error) {
	ctx, stop := context.WithCancel(context.Background())
	t := &Talk{child: c, cmd: c.command(ctx), stop: stop}
	in, err := t.cmd.StdinPipe()
	if err != nil {
		stop()
		return nil, err
	}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		stop()
		return nil, err
	}
	t.cmd.Stderr = &t.errs
	if err := t.cmd.Start(); err != nil {
		stop()
		return nil, err
	}
	t.In, t.Out = in, bufio.NewReader(out)
	return t, nil
}

// Stop stops the tool and all that it started: an answer that is waited for fails.
func (t *Talk) Stop() { t.stop() }

// End stops the tool, waits for its end, and returns what it said as Run does.
func (t *Talk) End() (said string) {
	t.stop()
	_ = t.cmd.Wait() // it was stopped
	return t.child.Presentable(t.errs.text())
}
