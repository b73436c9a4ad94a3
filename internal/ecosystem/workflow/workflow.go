// Package workflow reads what the workflows and pipelines of a checkout do about packages.
package workflow

import (
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
)

// Name is the ecosystem's.
const Name = "workflow"

// New reads the workflows of the checkout.
func New(m ecosystem.Machine, co *lockfile.Checkout) (*ecosystem.Ecosystem, error) {
	return &ecosystem.Ecosystem{
		Name:  Name,
		Fill:  func(in *decide.Input, after *choose.Choice) {},
		Hosts: func(co *lockfile.Checkout) (map[string]bool, error) { return nil, nil },
	}, nil
}
