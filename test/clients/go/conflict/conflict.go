// Package conflict reads docstore's error, for pgx and for what stands on it.
package conflict

import (
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// begin violations
type Violation struct {
	Item                                    int
	Op, Kind, Collection, Table, ID, Reason string
	Expected, Actual                        any // a number; Expected may be a word, and Actual null
}

// Violations is what docstore's conflict names, as data; nothing for any other error.
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
// Retried runs work, which loads, changes and saves, and once more when somebody else was faster.
func Retried(work func() error) (err error) {
	for range 100 {
		if err = work(); Violations(err) == nil {
			break
		}
	}
	return err
}

// end retry
