create or replace function audit.verify(
    p_published_seq bigint default null, p_published_hash bytea default null
) returns table (seq bigint, problem text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_nothing constant bytea := decode(repeat('00', 32), 'hex');
begin
    if (p_published_seq is null) <> (p_published_hash is null) then
        raise exception 'only one of p_published_seq and p_published_hash was given'
            using errcode = 'null_value_not_allowed',
            hint = 'Give both, as audit.published_head showed them, or neither.';
    end if;

    return query
    with link as (
        select
            e.seq,
            e.previous_hash,
            e.hash,
            audit.event_hash(e) as computed_hash,
            lag(e.seq, 1, 0::bigint) over by_seq as last_seq,
            lag(e.hash, 1, c_nothing) over by_seq as last_hash
        from audit.event as e
        window by_seq as (order by e.seq)
    ),

    tail as (
        select
            e.seq,
            e.hash
        from audit.event as e
        order by e.seq desc
        limit 1
    )

    select
        l.seq,
        case
            when l.computed_hash is distinct from l.hash
                then 'altered: its hash is not that of its columns'
            when l.seq <> l.last_seq + 1
                then format('missing before it: %s to %s', l.last_seq + 1, l.seq - 1)
            else 'not linked: its previous_hash is not the hash of the event before'
        end
    from link as l
    where
        l.computed_hash is distinct from l.hash
        or l.seq <> l.last_seq + 1
        or l.previous_hash is distinct from l.last_hash
    union all
    select
        h.seq,
        case
            when h.seq > coalesce(t.seq, 0)
                then format('missing at the end: %s to %s', coalesce(t.seq, 0) + 1, h.seq)
            else 'audit.head is not the end of the chain'
        end
    from (select) as always
    left join audit.head as h on true
    left join tail as t on true
    where (h.seq, h.hash) is distinct from (coalesce(t.seq, 0), coalesce(t.hash, c_nothing))
    union all
    select
        p_published_seq,
        'rewritten or cut: the published event is not in the chain'
    where
        not (p_published_seq = 0 and p_published_hash = c_nothing)
        and not exists (
            select from audit.event as e
            where e.seq = p_published_seq and e.hash = p_published_hash
        );
end
$$;
revoke all on function audit.verify(bigint, bytea) from public;
grant execute on function audit.verify(bigint, bytea) to market_operator;
comment on function audit.verify(bigint, bytea) is
'What is wrong with the chain; no rows when it is whole. p_published_seq, p_published_hash: a head '
'that was published earlier (decode(hash, ''hex'')), which the chain must still contain; without '
'them a rewrite of the whole chain and its head is not seen. Columns: seq, where; problem, what. '
'Reads the chain once, in one snapshot. Errors: 22004 when only one of the two is given.';
