create or replace function feature.refuse_regeneration() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'feature.generation is append-only: % refused', tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'It says which log answered when. Another generation is another row: call '
            'feature.rebuild().';
end
$$;
revoke all on function feature.refuse_regeneration() from public;
comment on function feature.refuse_regeneration() is
'Trigger of feature.generation: refuses UPDATE, DELETE and TRUNCATE to everyone, its owner '
'included. Errors: 55000, always.';

create or replace trigger generation_is_append_only
before update or delete or truncate on feature.generation
for each statement execute function feature.refuse_regeneration();
