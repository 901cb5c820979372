/*
 * tail.h - the highest position in a scope
 */
#ifndef DS_TAIL_H
#define DS_TAIL_H

#include "postgres.h"

#include "scope/scope.h"

extern bool ds_scope_tail(const DsLog *log, const DsScope *scope, int64 above, int64 *tail);

#endif							/* DS_TAIL_H */
