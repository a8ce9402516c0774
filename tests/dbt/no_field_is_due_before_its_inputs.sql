-- Fields that the contract promises earlier than what they are made from, or from unknown fields.
select
    output.feature_set,
    output.field as field_name,
    needed.input as due_later
from {{ ref('smartdb_contract') }} as output
cross join lateral string_to_table(output.inputs, ' ') as needed (input)
left join {{ ref('smartdb_contract') }} as made_from
    on
        needed.input = made_from.feature_set || '.' || made_from.field
        or output.feature_set = made_from.feature_set and needed.input = made_from.field
where made_from.field is null or made_from.available_after_s > output.available_after_s
