SELECT count(*) AS `count_1` 
FROM `logs`.`predictions` 
WHERE `predictions`.`naive` >= DATETIME '2013-04-01 10:00:00' AND `predictions`.`naive` < DATETIME '2013-04-01 13:00:00';

WITH `drawn` AS 
(SELECT CAST(`predictions`.`distance` AS FLOAT64) AS `c0`, CAST(`predictions`.`carrier` AS STRING) AS `c1`, CAST(`predictions`.`score` AS FLOAT64) AS `c2`, `predictions`.`naive` AS `c3`, `predictions`.`id` AS `k0`, CAST(round((unix_micros(timestamp(`predictions`.`naive`)) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) AS `moment`, CASE WHEN (`predictions`.`naive` < DATETIME '2013-04-02 22:00:00.250001') THEN FALSE END AS `absent`, collate(TO_HEX(MD5('7' || '\x1f' || coalesce(CAST(`predictions`.`id` AS STRING), ''))), '') AS `lot` 
FROM `logs`.`predictions` 
WHERE `predictions`.`naive` >= DATETIME '2013-04-01 10:00:00' AND `predictions`.`naive` < DATETIME '2013-04-01 13:00:00' ORDER BY `lot`, `c0`, `c1`, `c2`, `c3`
 LIMIT 100)
 SELECT `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, coalesce(`newest`.`label`, `drawn`.`absent`) AS `label` 
FROM `drawn` LEFT OUTER JOIN (SELECT `ranked`.`k0` AS `k0`, `ranked`.`moment` AS `moment`, `ranked`.`label` AS `label` 
FROM (SELECT `labels`.`id` AS `k0`, `wanted`.`moment` AS `moment`, `labels`.`y` AS `label`, row_number() OVER (PARTITION BY `labels`.`id`, `wanted`.`moment` ORDER BY `labels`.`known_at` IS NULL, `labels`.`known_at` DESC, rtrim(collate(`labels`.`zulu`, ''), 'Zz') DESC, `labels`.`y` IS NULL, collate(CAST(`labels`.`y` AS STRING), '') DESC) AS `place` 
FROM `labels` JOIN (SELECT DISTINCT `drawn`.`k0` AS `k0`, `drawn`.`moment` AS `moment` 
FROM `drawn`) AS `wanted` ON `labels`.`id` = `wanted`.`k0` 
WHERE rtrim(collate(`labels`.`zulu`, ''), 'Zz') < '2013-04-03T00:00:00.250001' AND `labels`.`known_at` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `labels`.`known_at` < TIMESTAMP '2013-04-01 14:00:00+00:00' AND CAST(round((unix_micros(`labels`.`known_at`) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) >= `wanted`.`moment` AND CAST(round((unix_micros(`labels`.`known_at`) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) - `wanted`.`moment` <= 3600000000) AS `ranked` 
WHERE `ranked`.`place` = 1) AS `newest` ON `drawn`.`k0` = `newest`.`k0` AND `drawn`.`moment` = `newest`.`moment` ORDER BY `drawn`.`lot`, `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`;

