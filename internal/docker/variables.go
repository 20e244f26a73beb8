package docker

import (
	"fmt"
	"strings"
)

// Form is how Variables writes the options, as mk-docker-opts.sh's flags do.
type Form struct {
	Individual bool   // -i: a variable for each option
	Combined   bool   // -c: one variable for all; neither of the two means both
	Key        string // -k: that variable's name
	NoMasq     bool   // -m: without --ip-masq, which very old daemons do not know
	Before     string // options to put in front of the combined ones
}

// Variables returns an environment file with the options of dockerd's command
// line, in flannel's format: DOCKER_OPT_BIP, DOCKER_OPT_IPMASQ and
// DOCKER_OPT_MTU, as far as b has them, and the variable that combines them.
// The format knows nothing of IPv6.
func Variables(b Bridge, f Form) (string, error) {
	if !isName(f.Key) {
		return "", fmt.Errorf("%q cannot be a variable's name: letters, digits and _ make one", f.Key)
	}
	if strings.ContainsAny(f.Before, "\n\x00") {
		return "", fmt.Errorf("the value of %s has more than one line", f.Key)
	}
	individual, combined := f.Individual, f.Combined
	if !individual && !combined {
		individual, combined = true, true
	}
	var out strings.Builder
	all := f.Before
	for _, o := range options(b, f.NoMasq) {
		if individual {
			fmt.Fprintf(&out, "DOCKER_OPT_%s=\"%s\"\n", o.name, o.flag)
		}
		all += " " + o.flag
	}
	if combined {
		fmt.Fprintf(&out, "%s=\"%s\"\n", f.Key, quoting.Replace(all))
	}
	return out.String(), nil
}

// quoting is for text between double quotes, for shells and systemd.
var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

type option struct{ name, flag string }

func options(b Bridge, noMasq bool) []option {
	var out []option
	if b.Address.IsValid() {
		out = append(out, option{"BIP", "--bip=" + b.Address.String()})
	}
	if b.Masq != nil && !noMasq {
		out = append(out, option{"IPMASQ", fmt.Sprintf("--ip-masq=%t", *b.Masq)})
	}
	if b.MTU != 0 {
		out = append(out, option{"MTU", fmt.Sprintf("--mtu=%d", b.MTU)})
	}
	return out
}

// isName reports whether s is a name for a variable, as POSIX has it.
func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		digit := r >= '0' && r <= '9'
		if !letter && (i == 0 || !digit) {
			return false
		}
	}
	return s != ""
}
