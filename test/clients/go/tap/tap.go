// Package tap is what the programs of Go share: TAP, and waiting for a lock.
package tap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

var count, failed int

// OK is one test; its name begins with that of a check (test/clients/checks).
func OK(good bool, name string) bool {
	count++
	if good {
		fmt.Printf("ok %d - %s\n", count, name)
	} else {
		failed++
		fmt.Printf("not ok %d - %s\n", count, name)
	}
	return good
}

// Same is a test that found is what was wanted.
func Same(found, wanted any, name string) {
	if !OK(reflect.DeepEqual(found, wanted), name) {
		fmt.Printf("# found:  %#v\n# wanted: %#v\n", found, wanted)
	}
}

// Try ends the program with an error that no test expects.
func Try(err error) {
	if err != nil {
		fmt.Printf("Bail out! %T %v\n", err, err)
		os.Exit(1)
	}
}

// Must is Try for what comes with a value.
func Must[T any](value T, err error) T {
	Try(err)
	return value
}

// Classes shows that the class that docs/conflicts-and-retries.md names for each SQLSTATE of a conflict is that of an error that execute() returns,
// or of one that it wraps, and that the field that it names has the SQLSTATE.
func Classes(execute func(statement string) error) {
	for _, each := range strings.Fields(os.Getenv("CLASSES")) {
		sqlstate, name, _ := strings.Cut(each, "=")
		var code string
		classes := []string{}
		for err := execute(`SELECT CASE WHEN set_config('docstore.conflict_sqlstate', '` + sqlstate + `', true) <> ''
			THEN docstore.upsert('cafes', 'nobody', '{}', 7) END`); err != nil; err = errors.Unwrap(err) {
			class := fmt.Sprintf("%T", err)
			classes = append(classes, class)
			if class == name {
				code = fmt.Sprint(reflect.Indirect(reflect.ValueOf(err)).FieldByName(os.Getenv("SQLSTATE")))
			}
		}
		OK(slices.Contains(classes, name), "class: "+sqlstate+" is returned as what the documentation says")
		Same(code, sqlstate, "class: "+sqlstate+" is where the documentation says")
	}
}

// Done prints the plan, and ends the program.
func Done() {
	fmt.Printf("1..%d\n", count)
	os.Exit(min(failed, 1))
}

// Waiting starts work in a session of its own, and returns when that waits for a lock. What it returns says what became of it.
func Waiting[T any](work func() T) func() T {
	ctx := context.Background()
	result := make(chan T, 1)
	watch := Must(pgx.Connect(ctx, ""))
	defer watch.Close(ctx)
	go func() { result <- work() }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var waits bool
		Try(watch.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity
			WHERE wait_event_type = 'Lock' AND datname = current_database())`).Scan(&waits))
		switch {
		case waits:
			return func() T { return <-result }
		case len(result) > 0:
			Try(fmt.Errorf("nobody waits for a lock: %v", <-result))
		case time.Now().After(deadline):
			Try(fmt.Errorf("nobody waits for a lock"))
		}
	}
}

// AtOnce runs work so often at the same time; the errors that they end with.
func AtOnce(workers int, work func() error) []error {
	var errs []error
	var guard sync.Mutex
	var all sync.WaitGroup
	for range workers {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := work(); err != nil {
				guard.Lock()
				defer guard.Unlock()
				errs = append(errs, err)
			}
		}()
	}
	all.Wait()
	return errs
}

// TryAgain shows what is tried again, and what is not.
func TryAgain(retried func(work func() error) error, execute func(statement string) error) {
	failing := func(codes ...string) (int, error) {
		calls := 0
		err := retried(func() error {
			if calls++; calls > len(codes) {
				return execute("SELECT 1")
			}
			return execute("DO $$ BEGIN RAISE SQLSTATE '" + codes[calls-1] + "'; END $$")
		})
		return calls, err
	}
	calls, err := failing("PT409", "40001", "40P01")
	OK(calls == 4 && err == nil, "retry: after a conflict, a serialization failure, a deadlock")
	calls, err = failing("23505")
	OK(calls == 1 && err != nil, "retry: not after others")
}
