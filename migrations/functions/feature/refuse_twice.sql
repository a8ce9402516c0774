create or replace function feature.refuse_twice(p_result text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bucket timestamptz;
begin
    execute format(
        'select r.bucket from %I as r group by r.series_no, r.bucket having count(*) > 1 limit 1',
        p_result
    ) into v_bucket;
    if v_bucket is not null then
        raise exception 'a model gives two rows for the bar %', v_bucket
            using errcode = 'cardinality_violation',
            hint = 'It must give one row per tenant_id, symbol and bucket.';
    end if;
end
$$;
revoke all on function feature.refuse_twice(text) from public;
comment on function feature.refuse_twice(text) is
'Refuses a result of a formula, a temporary table, that has two rows for a bar. Errors: 21000. '
'Step of feature.evaluate().';
