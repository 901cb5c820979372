/*
 * matches.h - whether an event is in a scope, without SQL
 */
#ifndef DS_MATCHES_H
#define DS_MATCHES_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "scope/scope.h"

extern bool ds_scope_matches(const DsLog *log, const DsScope *scope, TupleTableSlot *event);

#endif							/* DS_MATCHES_H */
