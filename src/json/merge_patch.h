/*
 * merge_patch.h - JSON merge patches
 */
#ifndef DS_MERGE_PATCH_H
#define DS_MERGE_PATCH_H

#include "postgres.h"

#include "utils/jsonb.h"

extern Jsonb *ds_merge_patch(Jsonb *target, Jsonb *patch);

#endif							/* DS_MERGE_PATCH_H */
