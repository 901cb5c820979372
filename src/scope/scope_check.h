/*
 * scope_check.h - whether scopes hold
 */
#ifndef DS_SCOPE_CHECK_H
#define DS_SCOPE_CHECK_H

#include "postgres.h"

#include "scope/scope.h"

extern void ds_scopes_look_ahead(const DsLog *log, DsScope *scopes, int count);
extern void ds_scopes_check(const DsLog *log, DsScope *scopes, int count);
extern void ds_scopes_forget(DsScope *scopes, int count);

#endif							/* DS_SCOPE_CHECK_H */
