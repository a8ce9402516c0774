-- loses: the audit chain and its head, which nothing makes again; export audit.event first
do $$
begin
    -- first: they would record into what the next statements drop
    drop event trigger if exists audit_ddl;
    drop event trigger if exists audit_drop;
end
$$;
drop schema audit cascade;
