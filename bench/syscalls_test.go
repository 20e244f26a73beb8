package main

import "testing"

func TestTally(t *testing.T) {
	const table = `    calls syscall
--------- ------------------
       60 futex
       40 write
       20 openat
--------- ------------------
      120 total
`
	got, err := tally(table, 20)
	if err != nil || got.All != 6 || got.Work != 3 {
		t.Errorf("tally = %+v, %v; want 6 calls a piece, 3 of them work", got, err)
	}
	if got, err := tally("strace: something went wrong\n", 20); err == nil {
		t.Errorf("tally of no table = %+v", got)
	}
}
