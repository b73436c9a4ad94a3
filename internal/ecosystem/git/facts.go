package git

import (
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// New reads what the checkout tells git.
func New(m ecosystem.Machine, co *lockfile.Checkout) (*ecosystem.Ecosystem, error) {
	return &ecosystem.Ecosystem{
		Name:  source.Git,
		Fill:  func(in *decide.Input, after *choose.Choice) {},
		Hosts: func(co *lockfile.Checkout) (map[string]bool, error) { return nil, nil },
	}, nil
}
