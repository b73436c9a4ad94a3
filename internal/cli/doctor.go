package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/run"
)

func (m *program) doctor() *cobra.Command {
	cmd := &cobra.Command{Use: "doctor [URL | MODULE@VERSION | PACKAGE@VERSION]", Short: "Find out why a download fails, what mends it, and who can", Args: cobra.MaximumNArgs(1),
		Long: `doctor walks the chain of a request (settings, name, address, connection, proxy, TLS, first byte, content, checksum
database, policy) for each source in force, or for the one thing that is named. It stops at the first broken link, and says
what was tried and seen, the most likely cause, what mends it, and who can. It changes nothing.

Exit codes: 0 healthy, 2 bad use, 3 not healthy.`,
		Example: `  goproxy-action doctor
  goproxy-action doctor https://goproxy.cn/
  goproxy-action doctor github.com/google/uuid@v1.6.0
  goproxy-action doctor left-pad@1.3.0
  goproxy-action doctor --bundle support.tar.gz`}
	flags(cmd, "probe", "mode", "verify")
	var bundle, dir string
	cmd.Flags().StringVar(&dir, "directory", ".", "the checkout to look at")
	cmd.Flags().StringVar(&bundle, "bundle", "", "write what was found into a .tar.gz file for whoever can help, without secrets")
	m.reports(cmd, func(ctx context.Context, p run.Process, _ string) (report.Outcome, error) {
		thing := ""
		if args := cmd.Flags().Args(); len(args) > 0 {
			thing = args[0]
		}
		flag := p.Flags
		p.Flags = func(name string) (string, bool) { // the argument is no directory
			if name == "directory" {
				return dir, cmd.Flags().Changed(name)
			}
			return flag(name)
		}
		o, err := p.Doctor(ctx, thing)
		if bundle != "" && o.Diagnosis != nil && ctx.Err() == nil {
			if e := m.writeBundle(o, bundle, err); e != nil && problem.CodeOf(err) != problem.Usage {
				return o, e
			}
			o.Notes = append(o.Notes, bundle+" holds the report for whoever can help; secrets are masked, addresses and names are not: look through it before you send it")
		}
		return o, err
	})
	return cmd
}
