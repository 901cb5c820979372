/*
 * author.h - who writes, and why
 */
#ifndef DS_AUTHOR_H
#define DS_AUTHOR_H

#include "postgres.h"

extern void ds_author_init(void);
extern Datum ds_author_actor(bool *is_null);
extern Datum ds_author_context(bool *is_null);

#endif							/* DS_AUTHOR_H */
