package machine

import (
	"context"
	"io"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/egress"
)

// proxyAddress is where programs inside find the proxy. It is on the loopback
// of the sandbox's own network, which nobody else can reach.
const proxyAddress = "127.0.0.1:3128"

// connect opens the way out, where there is one: the proxy listens inside and
// runs here.
func (m *Machine) connect(ctx context.Context, c Config) error {
	if c.Network == nil {
		return nil
	}
	proxy, err := egress.New(*c.Network)
	if err != nil {
		return deskhand.E(op, "", err)
	}
	l, err := m.sandbox.Listen(ctx, proxyAddress)
	if err != nil {
		return deskhand.Errorf(op, deskhand.Unavailable, "the way to the network cannot be opened: %w", err)
	}
	serve, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.disconnect = cancel
	m.networked(proxy.Judged)
	m.network.Go(func() {
		if err := proxy.Serve(serve, l); err != nil {
			m.log.Error("network is gone", "err", err)
			m.note("The network is gone: nothing can be reached any more.")
		}
	})
	return nil
}

// networked makes judged what Judged asks, and tells of the network.
func (m *Machine) networked(judged func(context.Context) ([]deskhand.NetworkJudged, error)) {
	m.judged = judged
	m.note("The desktop has a network, through a proxy that reaches allowed hosts only. Programs are set up for it; what is refused is told to you.")
}

// Judged waits until a connection out of the computer was judged and returns
// what was said; the sentences about what was refused are then among the
// Notices. When ctx has ended it returns what is left, then the error of ctx.
// io.EOF: there is no network, or it has ended.
func (m *Machine) Judged(ctx context.Context) ([]deskhand.NetworkJudged, error) {
	if m.judged == nil {
		return nil, io.EOF
	}
	all, err := m.judged(ctx)
	for _, j := range all {
		if !j.Allowed {
			m.note(egress.Sentence(j))
		}
	}
	return all, err
}
