create or replace function feature.hold_clock() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    -- the audit's first: who makes an object has it already when he comes to the clock
    select from audit.head as h for update;
    select from feature.clock as c for update;
$$;
revoke all on function feature.hold_clock() from public;
comment on function feature.hold_clock() is
'Takes the lock of the clock for a transaction that records what it does in the audit chain, too: '
'until it ends nobody publishes. The chain''s lock comes first, here and in whatever makes or '
'alters objects and comes to the clock after that, so that no two of them wait for each other.';
