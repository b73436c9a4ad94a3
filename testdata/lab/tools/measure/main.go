// Measure runs commands in turn, round after round, so that the load of the machine falls on all of them, and prints for
// each run a line of NAME, milliseconds, megabytes of memory at the most, and exit code, with tabs between.
//
//	measure <PLAN
//
// A line of the plan is NAME, how many of the runs count, the exit codes that are fine (0,1), and the command with its
// arguments, with tabs between. One run of each goes before the others and does not count.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type command struct {
	name  string
	runs  int
	codes []string
	args  []string
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var plan []command
	most := 0
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) < 4 {
			return fmt.Errorf("the line %q has fewer than four fields", lines.Text())
		}
		runs, err := strconv.Atoi(f[1])
		if err != nil {
			return err
		}
		most = max(most, runs)
		plan = append(plan, command{f[0], runs, strings.Split(f[2], ","), f[3:]})
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for round := range most + 1 {
		for _, c := range plan {
			if round > c.runs {
				continue
			}
			if err := c.run(out, round > 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c command) run(out io.Writer, counts bool) error {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	code := strconv.Itoa(cmd.ProcessState.ExitCode())
	if !slices.Contains(c.codes, code) {
		return fmt.Errorf("%s ended with %s: %s", c.name, code, bytes.TrimSpace(said.Bytes()))
	}
	if !counts {
		return nil
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not account for memory")
	}
	_, err = fmt.Fprintf(out, "%s\t%.2f\t%.1f\t%s\n", c.name, took.Seconds()*1000, float64(usage.Maxrss)*1024/1e6, code)
	return err
}
