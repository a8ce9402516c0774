-- loses: what the roles were granted besides, and their members
do $$
declare
    v_role text;
begin
    foreach v_role in array array[
        'market_deploy', 'market_ingest', 'market_operator', 'market_reader', 'market_tenant',
        'market_pool'
    ] loop
        begin
            execute format('drop owned by %I', v_role);
            execute format('drop role %I', v_role);
        exception
            -- another database of this cluster still uses the role, or it is another's
            when dependent_objects_still_exist or insufficient_privilege then null;
        end;
    end loop;
end
$$;
