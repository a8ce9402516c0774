create or replace procedure market.create_belief(p_kind text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant regclass := format('market.%I', p_kind);
    v_superseded constant regclass := format('market.%I', p_kind || '_superseded');
    v_view constant text := format('market.%I', p_kind || '_belief');
    -- those that a belief has while it is held, then those that its end gives it
    v_held text;
    v_ended text;
    v_not_ended text;
begin
    select
        string_agg(quote_ident(s.attname), ', ' order by s.attnum)
            filter (where n.attname is not null),
        string_agg(quote_ident(s.attname), ', ' order by s.attnum) filter (where n.attname is null),
        string_agg(
            case s.attname when 'superseded_at' then '''infinity''' else 'null' end
            || '::' || format_type(s.atttypid, s.atttypmod) || ' as ' || quote_ident(s.attname),
            ', ' order by s.attnum
        ) filter (where n.attname is null)
    into v_held, v_ended, v_not_ended
    from pg_attribute as s
    left join pg_attribute as n on n.attrelid = v_now and s.attname = n.attname
    where s.attrelid = v_superseded and s.attnum > 0 and not s.attisdropped;

    execute format(
        'create or replace view %1$s as select %2$s, %3$s from %4$s '
        'union all select %2$s, %5$s from %6$s',
        v_view, v_held, v_not_ended, v_now, v_ended, v_superseded
    );
    call access.describe_view(v_view::regclass, v_superseded);
    execute format(
        'comment on view %s is %L', v_view,
        format(
            'One row per version of a %1$s that is or was believed: in [known_at, superseded_at). '
            'What was believed at a moment is the rows whose interval holds it: market.%1$s is '
            'those of now, market.%1$s_superseded the others.', p_kind
        )
    );
    execute format(
        'comment on column %s.superseded_at is %L', v_view,
        'Until when it was believed, exclusive; infinity: still.'
    );
    execute format(
        'comment on column %s.cause is %L', v_view, 'correction or cancel; NULL: still believed.'
    );
end
$$;
revoke all on procedure market.create_belief(text) from public;
comment on procedure market.create_belief(text) is -- noqa: LT01
'Makes the view market.<p_kind>_belief of market.<p_kind> and market.<p_kind>_superseded: what is '
'and what was believed of a kind of tick. p_kind: trade, quote or bar.';
