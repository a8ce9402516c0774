-- depends: functions/feature/await_fields functions/feature/await_open
create or replace function feature.note_births() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_set record;
begin
    update feature.birth as b set ended_at = c.published_at
    from feature.clock as c
    where
        b.ended_at is null
        and not exists (
            select from feature.published_field() as f
            where f.feature_set = b.feature_set and f.field = b.field
        );
    -- nobody makes any more what these wait for
    delete from feature.waiting_bar as w
    where w.feature_set not in (select s.feature_set from feature.published_set() as s);
    delete from feature.waiting_range as w
    where w.feature_set not in (select s.feature_set from feature.published_set() as s);
    delete from feature.set_aside as a
    where a.feature_set not in (select s.feature_set from feature.published_set() as s);
    for v_set in
        select
            s.feature_set,
            s.made_of,
            not exists (
                select from feature.birth as b
                where b.feature_set = s.feature_set and b.ended_at is null
            ) as is_new
        from feature.published_set() as s
    loop
        if not v_set.is_new then
            perform feature.await_fields(v_set.feature_set);
        end if;
        insert into feature.birth (feature_set, field, born_at)
        select
            f.feature_set,
            f.field,
            case
                when v_set.is_new and f.feature_set = 'market_1m' then c.live_from
                else c.published_at
            end
        from feature.published_field() as f
        cross join feature.clock as c
        where
            f.feature_set = v_set.feature_set
            and f.place > 0
            and not exists (
                select from feature.birth as b
                where
                    b.feature_set = f.feature_set and b.field = f.field and b.ended_at is null
            )
        -- ended and begun again without a publish between
        on conflict (feature_set, field, born_at) do update set ended_at = null;
        continue when not v_set.is_new or v_set.made_of = 'tick';
        -- of their minutes some have been published
        perform feature.await_open(v_set.feature_set);
    end loop;
end
$$;
revoke all on function feature.note_births() from public;
comment on function feature.note_births() is
'Notes in feature.birth the fields that are published from now on, of new sets the bars that '
'are open now in feature.waiting_bar, of new fields of others what waits in '
'feature.waiting_field. Step of feature.compile(), under the lock of the clock.';
