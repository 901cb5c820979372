// Package conflict reads docstore's error, for pgx and for what stands on it.
package conflict

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// begin violations
type Violation struct {
	Item                                    int
	Op, Kind, Collection, Table, ID, Reason string
	Expected, Actual                        any // a number; Expected may be a word, and Actual null
}

// Violations returns those of docstore's conflict, as data; nothing for any other error.
func Violations(err error) []Violation {
	var detail struct{ Violations []Violation }
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "PT409" {
		_ = json.Unmarshal([]byte(server.Detail), &detail)
	}
	return detail.Violations
}

// end violations

// begin retry
// again has the SQLSTATEs that are worth another try: the conflict, a serialization failure, a deadlock.
var again = []string{"PT409", "40001", "40P01"}

// Retried runs work, which loads, changes and saves, and repeats it when somebody else was faster.
func Retried(work func() error) error {
	for attempt := 1; ; attempt++ {
		err := work()
		var server *pgconn.PgError
		if !errors.As(err, &server) || !slices.Contains(again, server.Code) || attempt == 100 {
			return err
		}
		time.Sleep(rand.N(min(time.Second, 10*time.Millisecond<<min(attempt, 10))))
	}
}

// end retry
