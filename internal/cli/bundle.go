package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/run"
	"github.com/org/goproxy-action/internal/source"
)

// maxSigningKey bounds a file with a private key, in bytes.
const maxSigningKey = 64 << 10

func (m *program) policyBundle() *cobra.Command {
	cmd := &cobra.Command{Use: "bundle [PATH]...", Short: "Pack policies into a bundle, when they compile and their tests pass",
		Long: `Packs directories and .rego files, or without a path the policies that the settings of this directory name, with their data and
without their tests, into a bundle that --policy, policies: and opa read. The same policies are the same bytes.`,
		Example: `  goproxy-action policy bundle --out corp.tar.gz policy
  goproxy-action policy bundle --out corp.tar.gz --sign-key key.pem policy`}
	policyFlags(cmd)
	out := cmd.Flags().String("out", "", "the file to write, which ends in .tar.gz")
	keyFile := cmd.Flags().String("sign-key", "", "a file with the private key, in PEM (RSA or ECDSA), that the bundle is signed with")
	revision := cmd.Flags().String("revision", "", "what the bundle calls itself (default the digest of its content)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !strings.HasSuffix(*out, ".tar.gz") {
			return problem.New(problem.Usage, "flag --out", "write --out FILE.tar.gz", "%q does not end in .tar.gz, by which a bundle is known", source.Plain(*out, 200))
		}
		p, err := m.begin(cmd, nil)
		if err != nil {
			return err
		}
		var key *decide.SigningKey
		if *keyFile != "" {
			name := source.Plain(*keyFile, 200)
			text, err := ecosystem.ReadFile(*keyFile, maxSigningKey)
			if err != nil {
				return problem.New(problem.Usage, name, "name a file with the private key in PEM", "cannot be read")
			}
			if key, err = decide.ParseSigningKey(text, name); err != nil {
				return err
			}
		}
		var policies decide.Policies
		if len(args) > 0 {
			policies, err = run.LoadPolicies(cmd.Context(), append(args, p.PolicyPaths...), p.PolicyKey)
		} else {
			policies, err = p.WrittenPolicies(cmd.Context())
		}
		if err != nil {
			return err
		}
		if _, err := decide.New(m.Policies, decide.Data{}, decide.Options{User: policies.Modules, UserData: policies.Data}); err != nil {
			return err
		}
		tests, err := decide.Test(cmd.Context(), m.Policies, policies, decide.TestOptions{})
		if err != nil {
			return err
		}
		if tests.Failed > 0 || tests.Passed == 0 {
			testText(m.Stderr, tests)
			return problem.New(problem.Violations, "policy bundle", "correct the policy or the test", "%d of %d tests passed, so nothing was written", tests.Passed, len(tests.Tests))
		}
		data, err := decide.Bundle(cmd.Context(), policies, *revision, key)
		if err != nil {
			return err
		}
		if err := m.place(output{"bundle", *out}, data); err != nil {
			hint := "name a file in a directory that is there and can be written"
			if refused, ok := errors.AsType[*problem.Problem](err); ok {
				hint, err = refused.Hint, refused.Err
			}
			return problem.New(problem.Usage, "flag --out "+source.Plain(*out, 200), hint, "the bundle could not be written: %w", err)
		}
		signed := "not signed"
		if key != nil {
			signed = "signed (" + key.Algorithm() + ")"
		}
		fmt.Fprintf(m.Stderr, "goproxy-action: %s: %s, %s passed, %s\n", source.Plain(*out, 0), count(len(data), "byte"), count(tests.Passed, "test"), signed)
		return nil
	}
	return cmd
}
