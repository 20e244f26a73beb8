// Package hostlock keeps two agents in one network namespace from using the
// same devices, firewall tables or addresses, since each would undo the
// other's work without end.
//
// Each agent has one file in a directory of the network namespace, and holds a
// lock on it (flock(2)) that ends with the process. The file says what the
// agent uses; whoever wants to use something reads the files of all others
// first. The directory belongs to the agents' user alone, so that nobody else
// can block them.
//
// The package looks at files only, never at the network. It does not decide
// what an agent needs, nor what becomes of an agent that cannot have it.
package hostlock
