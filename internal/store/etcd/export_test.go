package etcd

import "time"

// SetRightsPause sets how often stores ask for permissions that they lack.
func SetRightsPause(d time.Duration) { rightsPause = d }
