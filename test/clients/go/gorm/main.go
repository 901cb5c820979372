// GORM: entities on a guarded table, docstore's functions, and what the error has.
//
// GORM itself knows no versions. Its plugin optimisticlock puts the version in the WHERE clause, and who was late sees that in
// RowsAffected, not in Error; but Save() then writes the row all the same, as an upsert, and Delete() asks for no version. With a guard
// a plain column and two hooks are enough. Delete() has to ask for the version, and an upsert creates a shop again that somebody has deleted.
package main

import (
	"errors"
	"fmt"
	"strings"

	"docstore/clients/conflict"
	"docstore/clients/tap"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/optimisticlock"
)

const workers, times = 4, 20

// begin setup
type Shop struct {
	ID      int64
	Name    string
	Opens   int
	Version int64 `gorm:"not null;default:1"`
}

// BeforeUpdate sends the version that was loaded with every update of a shop, and takes over the next one, which the guard stores.
func (shop *Shop) BeforeUpdate(tx *gorm.DB) error {
	tx.Statement.SetColumn("version", shop.Version)
	tx.Statement.AddClause(clause.Returning{Columns: []clause.Column{{Name: "version"}}})
	return nil
}

// AfterUpdate reports when the shop was deleted. Save() would create it again, and Updates() would only say so in RowsAffected.
func (shop *Shop) AfterUpdate(tx *gorm.DB) error {
	if tx.Statement.RowsAffected == 0 {
		return gorm.ErrRecordNotFound
	}
	return nil
}

// migration may run at each start of a program, as AutoMigrate does: what is there stays as it is.
func migration(tx *gorm.DB) error {
	return errors.Join(
		tx.AutoMigrate(&Shop{}),
		tx.Exec("CREATE EXTENSION IF NOT EXISTS docstore").Error,
		tx.Exec("SELECT docstore.guard('shops', strict => true)" +
			" WHERE NOT EXISTS (SELECT FROM docstore.guarded WHERE name = 'public.shops' AND strict)").Error,
		tx.Exec("SELECT docstore.create_collection('cafes') WHERE to_regclass('cafes') IS NULL").Error)
}

// end setup

// begin entity
// deleteShop: an update sends the version that it saw. A delete must have it in its WHERE clause.
func deleteShop(db *gorm.DB, shop *Shop) error {
	result := db.Where("version = ?", shop.Version).Delete(shop)
	if result.Error == nil && result.RowsAffected == 0 {
		return fmt.Errorf("shop %d was changed or deleted by somebody else", shop.ID)
	}
	return result.Error
}

// saveShops stores them in one statement, or none. It takes the versions over as well, which Save() of many does not by itself.
func saveShops(db *gorm.DB, shops []Shop) error {
	return db.Clauses(clause.Returning{}).Save(&shops).Error
}

// end entity

func open(options string) *gorm.DB {
	return tap.Must(gorm.Open(postgres.Open(options), &gorm.Config{Logger: logger.Discard, TranslateError: true}))
}

func load(db *gorm.DB, id int64) *Shop {
	var shop Shop
	tap.Try(db.First(&shop, id).Error)
	return &shop
}

// entities: a row of a guarded table that several people change.
func entities(db *gorm.DB) {
	ann := &Shop{Name: "Demel", Opens: 8}
	tap.Try(db.Create(ann).Error)
	tap.Same(*ann, Shop{1, "Demel", 8, 1}, "create: a new shop has version 1")
	ben := load(db, 1)
	ann.Opens = 7
	tap.Try(db.Save(ann).Error)
	tap.Same(*ann, Shop{1, "Demel", 7, 2}, "update: the shop is at version 2, and knows it")
	tap.Try(db.Model(ann).Update("opens", 6).Error)
	tap.Same(load(db, 1), ann, "update: of one column, too")

	stale := *ben
	stale.Name = "Demel's"
	found := conflict.Violations(db.Save(&stale).Error)
	tap.Same(len(found), 1, "stale update: is an error")
	tap.Same(fmt.Sprintln(found[0].Kind, found[0].Table, found[0].ID, found[0].Reason, found[0].Actual), "row public.shops 1 stale 3\n",
		"stale update: which names the row and its version")
	stale = *ben
	tap.OK(conflict.Violations(db.Model(&stale).Update("name", "Demel's").Error) != nil, "stale update: of one column, too")
	tap.OK(conflict.Violations(saveShops(db, []Shop{*ben})) != nil, "stale update: by an upsert, too")
	tap.Same(load(db, 1), ann, "stale update: the row is as the other left it")
	tap.OK(deleteShop(db, ben) != nil, "stale delete: is an error")
	tap.Same(load(db, 1), ann, "stale delete: the row is there")

	shop := &Shop{Name: "Sluka", Opens: 8}
	tap.Try(db.Create(shop).Error)
	gone := *shop
	tap.Try(deleteShop(db, shop))
	tap.OK(errors.Is(db.Model(&gone).Update("opens", 9).Error, gorm.ErrRecordNotFound), "stale update: of a deleted shop is an error")
	tap.OK(errors.Is(db.Save(&gone).Error, gorm.ErrRecordNotFound), "stale update: of a deleted shop by Save(), too")
	tap.OK(errors.Is(db.First(&gone).Error, gorm.ErrRecordNotFound), "stale update: does not create it again")
	many := db.Model(&Shop{}).Where("opens = 6").Update("opens", 9).Error
	tap.OK(conflict.Violations(many) != nil, "stale update: of whatever WHERE finds has no version to send, and is refused")
}

// batch stores ten shops, of which one is stale: one after the other in a transaction, and at once.
func batch(db *gorm.DB) {
	shops := make([]Shop, 10)
	for n := range shops {
		shops[n] = Shop{Name: fmt.Sprint("shop ", n), Opens: 8}
	}
	tap.Try(db.Create(&shops).Error)
	tap.Try(saveShops(db, shops))
	tap.Same(shops[9].Version, int64(2), "batch: who has stored ten shops knows their versions")
	tap.Try(db.Save(load(db, shops[4].ID)).Error)
	for n := range shops {
		shops[n].Opens = 5
	}
	byOne := db.Transaction(func(tx *gorm.DB) error {
		for _, shop := range shops {
			if err := tx.Save(&shop).Error; err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range []error{byOne, saveShops(db, shops)} {
		found := conflict.Violations(err)
		tap.OK(len(found) == 1 && found[0].ID == fmt.Sprint(shops[4].ID), "batch: one stale shop of ten is an error, which names it")
	}
	var stored int64
	tap.Try(db.Model(&Shop{}).Where("opens = 5").Count(&stored).Error)
	tap.Same(stored, int64(0), "batch: nothing is stored, neither one by one in a transaction nor by one statement")
}

// blind raises the version in SQL, whatever it is. UpdateColumns() calls no hook.
func blind(db *gorm.DB, shop *Shop) error {
	return db.Model(shop).UpdateColumns(map[string]any{"name": shop.Name, "version": gorm.Expr("version + 1")}).Error
}

func save(db *gorm.DB, shop *Shop) error { return db.Save(shop).Error }

// race: the first session has changed shop 1 and not yet committed when the second update, of the shop as it was before, comes to it.
func race(db *gorm.DB, second func(*gorm.DB, *Shop) error) (error, string) {
	shop := load(db, 1)
	shop.Name = "second"
	first := db.Begin()
	tap.Try(blind(first, &Shop{ID: 1, Name: "first"}))
	result := tap.Waiting(func() error { return second(db, shop) })
	tap.Try(first.Commit().Error)
	return result(), load(db, 1).Name
}

func twoSessions(db *gorm.DB) {
	err, name := race(db, save)
	tap.OK(conflict.Violations(err) != nil && name == "first", "two sessions: a shop that was loaded before is refused")
	err, name = race(db, blind)
	tap.OK(conflict.Violations(err) != nil && name == "first", "two sessions: version + 1 that has waited is refused, too")
	err, name = race(db, deleteShop)
	tap.OK(err != nil && name == "first", "two sessions: a delete that has waited is refused, too")
}

// Locked is the same table, by the plugin.
type Locked struct {
	ID      int64
	Name    string
	Version optimisticlock.Version
}

func (Locked) TableName() string { return "shops" }

// alone shows what GORM and its plugin do with shops that have no guard.
func alone(guarded *gorm.DB) {
	tap.Try(guarded.Exec("CREATE SCHEMA alone").Error)
	db := open("search_path=alone")
	tap.Try(db.AutoMigrate(&Shop{}))
	tap.Try(db.Create(&Shop{Name: "Demel", Opens: 8}).Error)
	err, name := race(db, save)
	tap.OK(err == nil && name == "second", "alone: without a guard a stale shop overwrites what the first wrote")
	err, name = race(db, blind)
	tap.OK(err == nil && name == "second", "alone: version + 1 that has waited does so, too")
	gone := load(db, 1)
	tap.Try(db.Delete(gone).Error)
	tap.Try(db.Session(&gorm.Session{SkipHooks: true}).Save(gone).Error)
	tap.Same(load(db, 1), gone, "alone: without the hooks Save() creates a shop again that is gone")

	var ann, ben Locked
	tap.Try(errors.Join(db.First(&ann).Error, db.First(&ben).Error))
	tap.Try(db.Model(&ann).Update("name", "Ann's").Error)
	late := db.Model(&ben).Update("name", "Ben's")
	tap.OK(late.Error == nil && late.RowsAffected == 0 && load(db, 1).Name == "Ann's", "alone: the plugin refuses a stale update, but not by an error")
	tap.OK(db.Save(&ben).Error == nil && load(db, 1).Name == "Ben's", "alone: the plugin's Save() of a stale shop overwrites it")
	tap.OK(db.Delete(&ann).RowsAffected == 1, "alone: a stale delete is done, with the plugin, too")
	tap.Try(guarded.First(&ben).Error)
	tap.Try(guarded.Model(&ben).Update("name", "Ann's").Error)
	tap.OK(conflict.Violations(guarded.Save(&ben).Error) != nil, "stale update: by the plugin's Save() it is refused by the guard")
}

// strict: what goes past the hooks has no version to send, and is refused; the error names the table and its version.
func strict(db *gorm.DB) {
	before := load(db, 1)
	var server *pgconn.PgError
	tap.OK(errors.As(db.Model(&Shop{ID: 1}).UpdateColumn("name", "overwritten").Error, &server), "strict: UpdateColumn() is an error")
	tap.Same([]string{server.Code, server.ConstraintName, server.TableName, server.ColumnName},
		[]string{"PT428", "docstore_version_required", "shops", "version"}, "strict: which names the table and its version")
	tap.OK(errors.As(db.Exec("UPDATE shops SET name = 'overwritten' WHERE id = 1").Error, &server), "strict: so is an update in SQL")
	tap.Same(server.Code, "PT428", "strict: with that SQLSTATE")
	tap.Same(load(db, 1), before, "strict: the row is as it was")
	next := map[string]any{"name": "renamed", "version": gorm.Expr("version + 1")}
	tap.Try(db.Model(&Shop{}).Where("id = 1").UpdateColumns(next).Error)
	tap.Same(load(db, 1).Name, "renamed", "strict: UpdateColumns() that counts the version is stored")
}

// begin upsert
// upsert takes JSON. The expected version 0 says that there is no such document yet.
func upsert(db *gorm.DB, id, data string, expected int64) (version int64, err error) {
	err = db.Raw("SELECT docstore.upsert('cafes', ?, docstore.parse(?), ?)", id, data, expected).Scan(&version).Error
	return version, err
}

// end upsert

func functions(db *gorm.DB) {
	tap.Same(tap.Must(upsert(db, "mozart", `{"opens": 8}`, 0)), int64(1), "upsert: a new document has version 1")
	tap.Same(tap.Must(upsert(db, "mozart", `{"opens": 7}`, 1)), int64(2), "upsert: answers with the version")
	_, err := upsert(db, "mozart", `{"opens": 6}`, 1)
	var server *pgconn.PgError
	tap.OK(errors.As(err, &server), "upsert: a stale version is an error")
	tap.Same([]string{server.Code, server.ConstraintName, server.TableName}, []string{"PT409", "docstore_expected_version", "cafes"},
		"upsert: with its SQLSTATE, constraint and table")

	var items []string
	for n := 1; n <= 20; n++ {
		id := fmt.Sprintf("cafe-%02d", n)
		tap.Must(upsert(db, id, `{"opens": 8}`, 0))
		items = append(items, fmt.Sprintf(`{"op": "upsert", "collection": "cafes", "id": "%s", "data": {"opens": 7}, "expected": 1}`, id))
	}
	for _, id := range strings.Fields("cafe-04 cafe-11 cafe-17") {
		tap.Must(upsert(db, id, `{"opens": 9}`, 1))
	}
	err = db.Exec("SELECT * FROM docstore.save(docstore.parse(?))", "["+strings.Join(items, ",")+"]").Error
	tap.OK(err != nil, "save: 3 stale items of 20 are an error")
	var stored int
	tap.Try(db.Raw("SELECT count(*) FROM cafes WHERE data ->> 'opens' = '7' AND id <> 'mozart'").Scan(&stored).Error)
	tap.Same(stored, 0, "save: nothing is stored")
	var found []string
	for _, v := range conflict.Violations(err) {
		found = append(found, fmt.Sprint(v.Item, " ", v.ID, " ", v.Reason, " ", v.Expected, " ", v.Actual))
	}
	tap.Same(found, []string{"4 cafe-04 stale 1 2", "11 cafe-11 stale 1 2", "17 cafe-17 stale 1 2"},
		"violations: all three, with what was expected and what is there")
}

// retries: everybody counts one row and one document up.
func retries(db *gorm.DB) {
	tap.Try(db.Create(&Shop{ID: 100, Name: "counter"}).Error)
	tap.Must(upsert(db, "counter", `{"n": 0}`, 0))
	countRow := func() error {
		shop := load(db, 100)
		shop.Opens++
		return db.Save(shop).Error
	}
	count := func() (document struct{ Version, N int64 }) {
		tap.Try(db.Raw("SELECT version, data -> 'n' AS n FROM docstore.load('cafes', 'counter')").Scan(&document).Error)
		return document
	}
	countDocument := func() error {
		document := count()
		_, err := upsert(db, "counter", fmt.Sprintf(`{"n": %d}`, document.N+1), document.Version)
		return err
	}
	errs := tap.AtOnce(workers, func() error {
		for range times {
			if err := errors.Join(conflict.Retried(countRow), conflict.Retried(countDocument)); err != nil {
				return err
			}
		}
		return nil
	})
	tap.Same(errs, []error(nil), "retry: nobody gives up")
	tap.Same(load(db, 100).Opens, workers*times, "retry: no change of the shop is lost")
	tap.Same(count().N, int64(workers*times), "retry: no change of the document is lost")
	tap.TryAgain(conflict.Retried, func(statement string) error {
		return db.Exec(statement).Error
	})
}

func main() {
	db := open("")
	tap.Try(errors.Join(db.Transaction(migration), db.Transaction(migration)))
	entities(db)
	batch(db)
	twoSessions(db)
	alone(db)
	strict(db)
	functions(db)
	tap.Classes(func(statement string) error { return db.Exec(statement).Error })
	retries(db)
	tap.Done()
}
