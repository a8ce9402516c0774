-- Fields that are missing, extra, of another type or in another place than the contract says.
with field as (
    select
        column_name::text as field,
        data_type::text as data_type,
        row_number() over (order by ordinal_position) as ordinal
    from information_schema.columns
    where
        table_schema = '{{ ref("feature_1m").schema }}'
        and table_name = '{{ ref("feature_1m").identifier }}'
        and column_name not in ('tenant_id', 'symbol', 'bucket')
)

select
    contract.field as promised,
    field.field as found
from (
    select * from {{ ref('smartdb_contract') }}
    where feature_set = 'market_1m'
) as contract
full outer join field on contract.ordinal = field.ordinal
where
    contract.field is distinct from field.field
    or contract.data_type is distinct from field.data_type
