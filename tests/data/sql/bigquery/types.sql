WITH `drawn` AS 
(SELECT CASE WHEN (CAST(`predictions`.`written` AS STRING) = 'true') THEN 1.0000000000000000e+00 WHEN (CAST(`predictions`.`written` AS STRING) = 'false') THEN 0.0000000000000000e+00 ELSE SAFE_CAST(CAST(`predictions`.`written` AS STRING) AS FLOAT64) END AS `c0`, CAST(`predictions`.`seats` AS FLOAT64) AS `c1`, CAST(CAST(`predictions`.`late` AS INT64) AS FLOAT64) AS `c2`, CASE WHEN (CAST(json_value(`predictions`.`inputs`['speed']) AS STRING) = 'true') THEN 1.0000000000000000e+00 WHEN (CAST(json_value(`predictions`.`inputs`['speed']) AS STRING) = 'false') THEN 0.0000000000000000e+00 ELSE SAFE_CAST(CAST(json_value(`predictions`.`inputs`['speed']) AS STRING) AS FLOAT64) END AS `c3`, CAST(json_value(SAFE.PARSE_JSON(CAST(`predictions`.`document` AS STRING), wide_number_mode => 'round')['class']) AS STRING) AS `c4`, substr(to_hex(sha256('' || CAST(`predictions`.`postcode` AS STRING) || '')), 1, 12) AS `c5`, CAST(`predictions`.`score` AS FLOAT64) AS `c6`, `predictions`.`ts` AS `c7`, `predictions`.`id` AS `k0` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00')
 SELECT `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, `drawn`.`c4`, `drawn`.`c5`, `drawn`.`c6`, `drawn`.`c7`, `newest`.`label` 
FROM `drawn` LEFT OUTER JOIN (SELECT `ranked`.`k0` AS `k0`, `ranked`.`label` AS `label` 
FROM (SELECT `labels`.`id` AS `k0`, `labels`.`y` AS `label`, row_number() OVER (PARTITION BY `labels`.`id` ORDER BY `labels`.`known_at` DESC, `labels`.`y` IS NULL, collate(CAST(`labels`.`y` AS STRING), '') DESC) AS `place` 
FROM `labels` JOIN (SELECT DISTINCT `drawn`.`k0` AS `k0` 
FROM `drawn`) AS `wanted` ON `labels`.`id` = `wanted`.`k0` 
WHERE `labels`.`known_at` >= TIMESTAMP '1980-01-01 00:00:00+00:00' AND `labels`.`known_at` < TIMESTAMP '2200-01-01 00:00:00+00:00') AS `ranked` 
WHERE `ranked`.`place` = 1) AS `newest` ON `drawn`.`k0` = `newest`.`k0`;

