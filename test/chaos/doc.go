// Package chaos holds one test: six hosts under random faults, about one a second, and a checker that
// finds the network whole again after the faults have stopped. It has no code of its own but that
// test's; what it found wrong once is told by a focused test elsewhere.
//
//	go test ./test/chaos -chaos.duration=10m -chaos.seed=7
package chaos
