// Package owned holds every rule by which an agent knows, after a restart and
// without any memory of single objects, which objects of a host are its own:
// the names that it gives, the numbers that it marks objects with, and what
// follows from them.
//
// It is pure: it looks at names, numbers and prefixes and never at the host. It must not
// decide which objects a host should have, which is the planner's business.
//
// Two agents for two networks share a host; each has a Scope. What a rule says to be an agent's
// own is removed once it is no longer wanted. All else stays.
package owned
