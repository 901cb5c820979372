/*
 * unseen.h - events in a scope that a mark does not show
 */
#ifndef DS_UNSEEN_H
#define DS_UNSEEN_H

#include "postgres.h"

#include "scope/scope.h"

extern bool ds_scope_unseen(const DsLog *log, const DsScope *scope, const DsMark *mark, int64 above, int64 *highest);

#endif							/* DS_UNSEEN_H */
