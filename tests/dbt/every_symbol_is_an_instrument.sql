select distinct feature.symbol
from {{ ref('feature_1m') }} as feature
left join {{ ref('instrument') }} as instrument on feature.symbol = instrument.symbol
where instrument.symbol is null
