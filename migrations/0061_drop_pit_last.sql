-- depends: 0045_drop_pit_version
-- purpose: what reads the last bars of one moment returns rows of the set's type, and warns
-- lock: none
set local role market_owner;

-- made again by its file
do $$
declare
    v_made text;
begin
    for v_made in
        select p.oid::regprocedure::text
        from pg_proc as p
        where
            p.pronamespace = 'feature'::regnamespace
            and p.proname ~ '^(.*_)?pit_last$'
            and p.pronargs = 4
    loop
        execute format('drop function %s', v_made);
    end loop;
end
$$;
