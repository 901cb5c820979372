/*
 * identity.c - on whose behalf docstore acts: the caller's, but for floors
 *
 * Documents are read and written with the caller's privileges and under the
 * caller's row security.  The floor of a collection (floor.c) is docstore's own
 * affair: callers need no privilege on it, and shall have none.
 *
 * The rule: while another identity than the caller's is in force nothing of a
 * user's runs.  Triggers, policies, defaults, checks, expressions, operators,
 * casts and event triggers would act with the owner's privileges, and find
 * their names by the caller's search_path and temporary schema.  So nothing
 * that the executor or ProcessUtility() runs may stand between become_owner()
 * and become(), but functions of the server that write catalogues and
 * sequences only:
 *
 *	setval_oid()		checks ACL_UPDATE, writes the sequence's one row in
 *						its page.  No executor; sequences have no triggers.
 *	DefineSequence()	checks ACL_CREATE, makes catalogue rows and a file.
 *						Event triggers are fired by ProcessUtility(), which is
 *						not called.  All names are qualified.
 *	AlterSequence()		checks the owner, writes a row of pg_sequence.
 *						Likewise.
 *
 * Hooks that a library in C has put there may run: those are the superuser's.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "table/catalogue.h"
#include "table/identity.h"

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
