package etcd

import (
	"context"
	"errors"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
)

// login puts the token that etcd gave for user and password on every call.
// The library can do that too, but needs etcd to be reachable when it is
// constructed; and when an etcd 3.4 has forgotten a token (a restart is
// enough) it asks for a new one with the old one attached, is refused, and
// does so again for as long as the call lasts.
type login struct {
	user, password string
	turn           chan struct{} // holds one token: one login at a time

	mu    sync.Mutex
	token string
	done  bool // logged in, or etcd wants no login
}

var _ credentials.PerRPCCredentials = (*login)(nil)

func newLogin(o Options) *login {
	l := &login{user: o.Username, password: o.Password, turn: make(chan struct{}, 1), done: o.Username == ""}
	l.turn <- struct{}{}
	return l
}

// GetRequestMetadata is called by grpc for every call.
func (l *login) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if token, _ := l.current(); token != "" {
		return map[string]string{rpctypes.TokenFieldNameGRPC: token}, nil
	}
	return nil, nil
}

// RequireTransportSecurity is false, as it is for etcdctl: http endpoints with
// a password are the operator's choice.
func (l *login) RequireTransportSecurity() bool { return false }

func (l *login) current() (token string, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token, l.done
}

func (l *login) set(token string, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token, l.done = token, done
}

// ensure logs in unless that is done.
func (l *login) ensure(ctx context.Context, etcd *clientv3.Client) error {
	if _, done := l.current(); done {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.turn:
	}
	defer func() { l.turn <- struct{}{} }()
	if _, done := l.current(); done {
		return nil
	}
	resp, err := etcd.Authenticate(ctx, l.user, l.password)
	if errors.Is(err, rpctypes.ErrAuthNotEnabled) {
		l.set("", true)
		return nil
	}
	if err == nil {
		l.set(resp.Token, true)
	}
	return err
}

// forget drops token, if it is still the one in use, so that the next call
// logs in again. It tells whether there is a user to log in.
func (l *login) forget(token string) bool {
	if l.user == "" {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token == token {
		l.token, l.done = "", false
	}
	return true
}

// refusedToken tells whether err says that a token is no good (any more).
func refusedToken(err error) bool {
	return err != nil && (code(err) == codes.Unauthenticated ||
		errors.Is(err, rpctypes.ErrUserEmpty) || errors.Is(err, rpctypes.ErrAuthOldRevision))
}
