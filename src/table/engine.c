/*
 * engine.c - which tables are read and written without the executor
 *
 * The statements of statement.c are what docstore does.  direct.c does the
 * same in less time, where nothing can tell the difference: at READ COMMITTED,
 * on tables that need nothing of the executor (plain.c), by callers who have
 * the privileges on the whole table, and where no other extension checks
 * privileges.  All else goes through SPI; so does everything unless
 * docstore.engine is "auto", which is how the tests compare the two.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "base/compat.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_publication.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "table/collection.h"
#include "table/engine.h"
#include "table/engine_setting.h"
#include "table/row_error.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* On the whole table; SQL that names it would need its schema as well. */
static bool
has_privileges(const DsCollection *collection, AclMode privileges)
{
	return object_aclcheck(NamespaceRelationId, get_rel_namespace(collection->relid), GetUserId(),
						   ACL_USAGE) == ACLCHECK_OK &&
		pg_class_aclmask(collection->relid, GetUserId(), privileges, ACLMASK_ALL) == privileges;
}

static bool
is_usable(void)
{
	return ds_engine_setting() == DS_ENGINE_AUTO && !IsolationUsesXactSnapshot() &&
		SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA &&
		ExecutorCheckPerms_hook == NULL;
}

/* Whether rows can be read here, in this call: the caller sees all that its snapshot shows. */
bool
ds_engine_reads(const DsCollection *collection)
{
	ds_collection_look_again(collection);
	return !collection->partitioned && !collection->distributed && is_usable() &&
		!ds_row_security_applies(collection) && has_privileges(collection, ACL_SELECT);
}

/* Whether rows can be locked and updated here, in this call. */
bool
ds_engine_updates(const DsCollection *collection)
{
	ds_collection_look_again(collection);
	return collection->is_plain && is_usable() &&
		has_privileges(collection, ACL_SELECT | ACL_UPDATE);
}

/* Whether rows can be inserted here, in this call. */
bool
ds_engine_inserts(const DsCollection *collection)
{
	ds_collection_look_again(collection);
	return collection->is_plain_insert && is_usable() &&
		has_privileges(collection, ACL_SELECT | ACL_INSERT);
}

/*
 * Whether a table's replica identity tells subscribers which row an UPDATE or
 * DELETE has changed, and publications need no more of it: as
 * CheckCmdReplicaIdentity(), which raises.
 */
static bool
can_publish(Relation rel, CmdType command)
{
	bool		has_identity = (rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL ||
								OidIsValid(RelationGetReplicaIndex(rel)));
	PublicationDesc published;

	RelationBuildPublicationDesc(rel, &published);
	if (!gencols_valid_for(&published, command))
		return false;
	if (command == CMD_DELETE)
		return (has_identity || !published.pubactions.pubdelete) &&
			published.rf_valid_for_delete && published.cols_valid_for_delete;
	return (has_identity || !published.pubactions.pubupdate) &&
		published.rf_valid_for_update && published.cols_valid_for_update;
}

/*
 * Whether the server would let the caller UPDATE or DELETE.  It refuses a
 * statement before it looks for a row, and who locks and compares first is
 * refused only where there is one to write.
 */
bool
ds_engine_allows(const DsCollection *collection, CmdType command)
{
	Relation	rel;
	bool		result;

	ds_collection_look_again(collection);
	rel = table_open(collection->relid, NoLock);
	result = has_privileges(collection, command == CMD_DELETE ? ACL_DELETE : ACL_UPDATE) &&
		can_publish(rel, command);
	table_close(rel, NoLock);
	return result;
}
