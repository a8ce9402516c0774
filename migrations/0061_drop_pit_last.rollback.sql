-- loses: nothing; make migrate of an older release makes its functions again
set local role market_owner;

do $$
declare
    v_made text;
begin
    for v_made in
        select p.oid::regprocedure::text
        from pg_proc as p
        where
            p.pronamespace = 'feature'::regnamespace
            and (
                p.proname ~ '^(.*_)?pit_last$' and p.pronargs = 5
                or p.proname ~ '^(.*_)?pit_moment$'
            )
    loop
        execute format('drop function %s', v_made);
    end loop;
end
$$;
