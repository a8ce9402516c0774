create or replace function feature.inputs_in_use() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select string_agg(format('%s %s', c.feature_set, c.definition), ', ' order by c.feature_set)
        from feature.current_definition as c
    ) || (
        select format(', bars from %s', md5(string_agg(
            format('%s %s', i.symbol, i.bars_from), e'\n' order by i.symbol collate "C"
        )))
        from market.instrument as i
        where i.bars_from <> 'trade' and i.symbol in (select s.symbol from feature.series as s)
    );
end
$$;
revoke all on function feature.inputs_in_use() from public;
comment on function feature.inputs_in_use() is
'The definition in use of each set, and a digest of what the bars of instruments are made of where '
'it is not trades, as one text. For feature.rebuild(), which makes a generation under one.';
