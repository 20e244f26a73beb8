// Package demo brings up a whole weft network in a lab, with agents, a store and pods, and measures
// who reaches whom by which path. It is what `weft lab demo` and `weft lab up` show; it knows what
// a newcomer should see, and nothing of how packets are made to travel.
package demo
