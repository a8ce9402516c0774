create or replace function model.between_cards(
    p_card jsonb, p_other jsonb, out read_by_one text, out defined_otherwise text
)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select
        (
            select string_agg(
                distinct (d.entry ->> 'feature_set') || '.' || (d.entry ->> 'field'), ', '
            )
            from (
                (
                    select c.entry
                    from jsonb_array_elements(p_card -> 'columns') as c (entry)
                    except
                    select o.entry
                    from jsonb_array_elements(p_other -> 'columns') as o (entry)
                )
                union all
                (
                    select o.entry
                    from jsonb_array_elements(p_other -> 'columns') as o (entry)
                    except
                    select c.entry
                    from jsonb_array_elements(p_card -> 'columns') as c (entry)
                )
            ) as d
        ),
        (
            select string_agg(c.key, ', ' order by c.key)
            from jsonb_each(p_card -> 'definitions') as c
            where c.value <> p_other -> 'definitions' -> c.key
        )
$$;
revoke all on function model.between_cards(jsonb, jsonb) from public;
comment on function model.between_cards(jsonb, jsonb) is
'How what two versions were given differs: columns that one of them alone reads, or with other '
'categories (read_by_one), and sets whose definitions were others when they learned '
'(defined_otherwise). NULL: no difference.';
