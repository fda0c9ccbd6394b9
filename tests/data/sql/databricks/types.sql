WITH `drawn` AS 
(SELECT CASE WHEN (CAST(`logs`.`predictions`.`written` AS STRING) = 'true') THEN 1.0000000000000000e+00D WHEN (CAST(`logs`.`predictions`.`written` AS STRING) = 'false') THEN 0.0000000000000000e+00D WHEN (CAST(`logs`.`predictions`.`written` AS STRING) RLIKE '[0-9.][dDfF] *$') THEN NULL ELSE TRY_CAST(CAST(`logs`.`predictions`.`written` AS STRING) AS DOUBLE) END AS `c0`, CAST(`logs`.`predictions`.`seats` AS DOUBLE) AS `c1`, CAST(CAST(`logs`.`predictions`.`late` AS INT) AS DOUBLE) AS `c2`, CASE WHEN (CAST(try_element_at(from_json(to_json(`logs`.`predictions`.`inputs`), 'map<string,string>'), 'speed') AS STRING) = 'true') THEN 1.0000000000000000e+00D WHEN (CAST(try_element_at(from_json(to_json(`logs`.`predictions`.`inputs`), 'map<string,string>'), 'speed') AS STRING) = 'false') THEN 0.0000000000000000e+00D WHEN (CAST(try_element_at(from_json(to_json(`logs`.`predictions`.`inputs`), 'map<string,string>'), 'speed') AS STRING) RLIKE '[0-9.][dDfF] *$') THEN NULL ELSE TRY_CAST(CAST(try_element_at(from_json(to_json(`logs`.`predictions`.`inputs`), 'map<string,string>'), 'speed') AS STRING) AS DOUBLE) END AS `c3`, CAST(try_element_at(from_json(CAST(`logs`.`predictions`.`document` AS STRING), 'map<string,string>'), 'class') AS STRING) AS `c4`, substr(sha2('' || CAST(`logs`.`predictions`.`postcode` AS STRING) || '', 256), 1, 12) AS `c5`, CAST(`logs`.`predictions`.`score` AS DOUBLE) AS `c6`, `logs`.`predictions`.`ts` AS `c7`, `logs`.`predictions`.`id` AS `k0` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00')
 SELECT `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, `drawn`.`c4`, `drawn`.`c5`, `drawn`.`c6`, `drawn`.`c7`, `newest`.`label` 
FROM `drawn` LEFT OUTER JOIN (SELECT `ranked`.`k0` AS `k0`, `ranked`.`label` AS `label` 
FROM (SELECT `labels`.`id` AS `k0`, `labels`.`y` AS `label`, row_number() OVER (PARTITION BY `labels`.`id` ORDER BY `labels`.`known_at` DESC, `labels`.`y` IS NULL, CAST(`labels`.`y` AS STRING) DESC) AS `place` 
FROM `labels` JOIN (SELECT DISTINCT `drawn`.`k0` AS `k0` 
FROM `drawn`) AS `wanted` ON `labels`.`id` = `wanted`.`k0` 
WHERE `labels`.`known_at` IS NOT NULL) AS `ranked` 
WHERE `ranked`.`place` = 1) AS `newest` ON `drawn`.`k0` = `newest`.`k0`;

