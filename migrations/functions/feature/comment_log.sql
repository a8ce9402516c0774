create or replace function feature.comment_log(p_log text, p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_column record;
begin
    execute format(
        'comment on table feature.%I is %L', p_log,
        format(
            'One row per version of a bar''s features of the set %s: what was known of the bar from '
            'known_at until the known_at of its next version. Append-only. A version without '
            'closes_at says that the bar has gone.', p_set
        )
    );
    for v_column in
        select *
        from (
            values
            ('tenant_id', 'Owner, market.tenant.'),
            ('symbol', 'Instrument, market.instrument.'),
            ('bucket', 'Start of the bar, inclusive.'),
            ('known_at', 'Knowledge time, as of feature.log. Never before the bar''s close.'),
            ('closes_at', 'End of the bar, exclusive. NULL: the bar has gone.'),
            ('cause', 'Why the version is there, as of feature.log.'),
            (
                'definition',
                'Which formulas made it, feature.definition. NULL: made before they were noted.'
            )
        ) as c (name, said)
    loop
        execute format('comment on column feature.%I.%I is %L', p_log, v_column.name, v_column.said);
    end loop;
end
$$;
revoke all on function feature.comment_log(text, text) from public;
comment on function feature.comment_log(text, text) is
'Says what the columns of a set''s log hold. Step of feature.make_log().';
