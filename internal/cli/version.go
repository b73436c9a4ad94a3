package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (m *program) version() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs}
	f := format(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := known(*f); err != nil {
			return err
		}
		if *f == "json" {
			return json.NewEncoder(m.Stdout).Encode(map[string]string{"version": m.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
		}
		_, err := fmt.Fprintln(m.Stdout, "goproxy-action "+m.Version)
		return err
	}
	return cmd
}
