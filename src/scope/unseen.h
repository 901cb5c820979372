/*
 * unseen.h - events in a scope that a mark does not show
 */
#ifndef DS_UNSEEN_H
#define DS_UNSEEN_H

#include "postgres.h"

#include "scope/scope.h"

extern DsMarkState ds_scopes_unseen(const DsLog *log, DsScope *scopes, int count, const DsMark *mark, int64 above);

#endif							/* DS_UNSEEN_H */
