/*
 * identity.h - on whose behalf docstore acts
 */
#ifndef DS_IDENTITY_H
#define DS_IDENTITY_H

#include "postgres.h"

typedef struct DsIdentity
{
	Oid			user;
	int			context;
} DsIdentity;

extern DsIdentity ds_identity_become_owner(Oid relid);
extern void ds_identity_become(DsIdentity identity);

#endif							/* DS_IDENTITY_H */
