/*
 * identity.c - on whose behalf docstore acts: the caller's, but for book-keeping
 *
 * Documents are read and written with the caller's privileges and under the
 * caller's row security.  What docstore keeps beside them (floor.c, request.c)
 * is its own affair: callers need no privilege on it, and shall have none.
 */
#include "postgres.h"

#include "catalogue.h"
#include "identity.h"
#include "miscadmin.h"

/*
 * Act as the owner of a relation until ds_identity_become() gives back the
 * caller, who is returned.  An error ends it, too.
 */
DsIdentity
ds_identity_become_owner(Oid relid)
{
	Oid			owner = ds_catalogue_owner(relid);
	DsIdentity	caller;

	if (!OidIsValid(owner))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	GetUserIdAndSecContext(&caller.user, &caller.context);
	SetUserIdAndSecContext(owner, caller.context | SECURITY_LOCAL_USERID_CHANGE);
	return caller;
}

void
ds_identity_become(DsIdentity identity)
{
	SetUserIdAndSecContext(identity.user, identity.context);
}
