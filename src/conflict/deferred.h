/*
 * deferred.h - conflicts that wait for the end of the transaction
 */
#ifndef DS_DEFERRED_H
#define DS_DEFERRED_H

#include "postgres.h"

#include "conflict/conflict.h"

extern void ds_deferred_init(void);
extern bool ds_deferred_is_on(void);
extern void ds_deferred_check(const char *preface);
extern DsConflict *ds_deferred_add_call(int items);

#endif							/* DS_DEFERRED_H */
