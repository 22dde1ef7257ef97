"""What the census asks of PostgreSQL's catalog. Every query is one that any role may run."""

from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

Row = Any
"""A named tuple of one query's columns."""

_GRANTEE = "CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(acl.grantee) END AS grantee"

ROLES = "SELECT * FROM pg_roles WHERE rolname = ANY(%(roles)s)"

MEMBERSHIPS = """
    SELECT member.rolname AS member, granted.rolname AS granted
    FROM pg_auth_members m
    JOIN pg_roles member ON member.oid = m.member
    JOIN pg_roles granted ON granted.oid = m.roleid
    WHERE member.rolname = ANY(%(roles)s)
"""

SETTINGS = """
    SELECT r.rolname AS role, s.setconfig AS settings
    FROM pg_db_role_setting s
    JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE r.rolname = ANY(%(roles)s) AND (d.oid IS NULL OR d.datname = current_database())
"""

DATABASE = (
    "SELECT datname AS name, pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = current_database()"
)

DATABASE_GRANTS = f"""
    SELECT {_GRANTEE}, acl.privilege_type AS privilege, acl.is_grantable
    FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl
    WHERE d.datname = current_database() AND acl.grantee <> d.datdba
"""  # noqa: S608 (a constant, here and below)

POSSESSIONS = """
    SELECT r.rolname AS role, o.object
    FROM (
        SELECT relowner AS owner, 'relation ' || relname AS object FROM pg_class
        UNION ALL SELECT proowner, 'function ' || proname FROM pg_proc
        UNION ALL SELECT lomowner, 'large object ' || oid FROM pg_largeobject_metadata
        UNION ALL SELECT nspowner, 'schema ' || nspname FROM pg_namespace
        UNION ALL SELECT typowner, 'type ' || typname FROM pg_type
        UNION ALL SELECT oprowner, 'operator ' || oprname FROM pg_operator
    ) o
    JOIN pg_roles r ON r.oid = o.owner
    WHERE r.rolname = ANY(%(roles)s)
"""

SCHEMA_GRANTS = f"""
    SELECT {_GRANTEE}, acl.privilege_type AS privilege, acl.is_grantable
    FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) acl
    WHERE n.nspname = %(schema)s AND acl.grantee <> n.nspowner
"""  # noqa: S608

RELATIONS = """
    SELECT n.nspname || '.' || c.relname AS name, c.relkind::text AS kind, pg_get_userbyid(c.relowner) AS owner,
           array(
               SELECT CASE t.tgenabled WHEN 'O' THEN '' ELSE 'not enabled: ' END || pg_get_triggerdef(t.oid)
               FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname
           ) AS triggers,
           c.relkind = 'r' AND c.relhasrules AS rules,
           EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS inheritance,
           c.relrowsecurity AS has_row_security, c.relforcerowsecurity AS forces_row_security
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'gate') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""

OPEN_SEQUENCES = """
    SELECT n.nspname || '.' || c.relname AS name, r.rolname AS role
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN unnest(%(roles)s::text[]) r(rolname)
    WHERE n.nspname IN ('public', 'gate') AND c.relkind = 'S'
      AND has_sequence_privilege(r.rolname, c.oid, 'USAGE, SELECT, UPDATE')
"""

TABLE_GRANTS = f"""
    SELECT {_GRANTEE}, acl.privilege_type AS privilege, acl.is_grantable
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) acl
    WHERE n.nspname || '.' || c.relname = %(table)s AND acl.grantee <> c.relowner
    UNION ALL
    SELECT {_GRANTEE},
           acl.privilege_type || ' (' || string_agg(a.attname, ', ' ORDER BY a.attname COLLATE "C") || ')',
           acl.is_grantable
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped, aclexplode(a.attacl) acl
    WHERE n.nspname || '.' || c.relname = %(table)s
    GROUP BY acl.grantee, acl.privilege_type, acl.is_grantable
"""  # noqa: S608

POLICIES = """
    SELECT policyname AS name, permissive = 'PERMISSIVE' AS is_permissive, cmd AS command, roles::text[] AS roles,
           qual AS using, with_check AS check
    FROM pg_policies WHERE schemaname || '.' || tablename = %(table)s
"""

COLUMNS_WITH_STATISTICS = """
    SELECT a.attname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname || '.' || c.relname = %(table)s
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget IS DISTINCT FROM 0
"""

UNIQUE_INDEXES = """
    SELECT n.nspname || '.' || c.relname AS table, i.relname AS name,
           x.indisprimary AS is_primary, x.indisexclusion AS is_exclusion,
           array(
               SELECT coalesce(a.attname, '(expression)')
               FROM unnest(x.indkey) WITH ORDINALITY k(number, position)
               LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number AND k.number > 0
               ORDER BY k.position
           ) AS columns
    FROM pg_index x
    JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class i ON i.oid = x.indexrelid
    WHERE n.nspname IN ('public', 'gate') AND (x.indisunique OR x.indisexclusion)
"""

FOREIGN_KEYS = """
    SELECT n.nspname || '.' || c.relname AS table, fn.nspname || '.' || f.relname AS target,
           array(
               SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY u(number, position)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.position
           ) AS columns,
           array(
               SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY u(number, position)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.position
           ) AS targets
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
    WHERE k.contype = 'f' AND n.nspname IN ('public', 'gate')
"""

FUNCTIONS = """
    SELECT n.nspname AS schema, p.proname AS name, p.oid::regprocedure::text AS signature,
           p.prosrc AS body, p.prosecdef AS is_security_definer,
           pg_get_userbyid(p.proowner) AS owner, p.proconfig AS settings,
           array(
               SELECT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(acl.grantee) END
               FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) acl
               WHERE acl.grantee <> p.proowner
           ) AS callers
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('public', 'gate')
"""

OPEN_QUEUE = """
    SELECT 'TABLE jobs.' || c.relname AS object, r.rolname AS role
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN unnest(%(roles)s::text[]) r(rolname)
    WHERE n.nspname = 'jobs' AND c.relkind IN ('r', 'p', 'v')
      AND (has_table_privilege(r.rolname, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
           OR has_any_column_privilege(r.rolname, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
    UNION ALL
    SELECT 'FUNCTION ' || p.oid::regprocedure, r.rolname
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN unnest(%(roles)s::text[]) r(rolname)
    WHERE n.nspname = 'jobs' AND has_function_privilege(r.rolname, p.oid, 'EXECUTE')
"""

NOTIFYING_TRIGGERS = """
    SELECT t.tgname AS name
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'jobs' AND NOT t.tgisinternal AND t.tgname LIKE '%%notify%%'
"""

OPEN_IN_THE_CATALOG = """
    SELECT 'function ' || f.signature AS object, r.rolname AS role
    FROM unnest(%(functions)s::text[]) f(signature) CROSS JOIN unnest(%(roles)s::text[]) r(rolname)
    WHERE has_function_privilege(r.rolname, ('pg_catalog.' || f.signature)::regprocedure, 'EXECUTE')
    UNION ALL
    SELECT 'view ' || v.name, r.rolname
    FROM unnest(%(views)s::text[]) v(name) CROSS JOIN unnest(%(roles)s::text[]) r(rolname)
    WHERE has_table_privilege(r.rolname, ('pg_catalog.' || v.name)::regclass, 'SELECT')
    UNION ALL
    SELECT 'language ' || l.lanname, r.rolname
    FROM pg_language l CROSS JOIN unnest(%(roles)s::text[]) r(rolname)
    WHERE l.lanname IN ('sql', 'plpgsql') AND has_language_privilege(r.rolname, l.oid, 'USAGE')
"""


def ask(connection: psycopg.Connection[Any], query: str, **parameters: Any) -> list[Row]:
    """Return the rows of one of the queries above."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(query.encode(), parameters).fetchall()
