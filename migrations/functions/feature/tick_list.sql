create or replace function feature.tick_list(p_kind text, p_format text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select string_agg(format(p_format, a.attname), '' order by a.attnum)
    from pg_attribute as a
    where
        a.attrelid = format('market.%I', p_kind)::regclass
        and a.attnum > 0
        and not a.attisdropped
        and a.attname <> all(
            array['tenant_id', 'symbol', 'ts', 'seq', 'known_at']
            || array['source_topic', 'source_partition', 'source_offset']
        )
$$;
revoke all on function feature.tick_list(text, text) from public;
comment on function feature.tick_list(text, text) is
'The values of a tick of p_kind (trade, quote or bar), columns of its table without its key, its '
'clock and its Kafka message: each put into p_format as its %1$I, one after the other.';
