create or replace function feature.contract_digest(
    p_set text, p_fields integer, p_known_as_of timestamptz
) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with field as (
        select
            c.field,
            c.data_type,
            c.ordinal
        from market.contract as c
        where c.feature_set = p_set
        order by c.ordinal
        limit p_fields
    ),

    known as (
        select
            f.ordinal,
            f.field,
            f.data_type,
            v.max_staleness_s,
            v.is_gone,
            v.known_at
        from field as f
        left join market.contract_version as v
            on v.feature_set = p_set and f.field = v.field and v.known_at <= p_known_as_of
    )

    select left(encode(sha256(convert_to(coalesce(
        string_agg(
            format(
                '%s %s %s %s %s', k.field, k.data_type, k.max_staleness_s, k.is_gone,
                extract(epoch from k.known_at)
            ), e'\n' order by k.ordinal, k.known_at
        ), ''
    ), 'UTF8')), 'hex'), 6)
    from known as k
$$;
revoke all on function feature.contract_digest(text, integer, timestamptz) from public;
comment on function feature.contract_digest(text, integer, timestamptz) is
'Six hexadecimal digits of the first p_fields fields of the set p_set, their types, and all that '
'was known by p_known_as_of of how old they may be.';
